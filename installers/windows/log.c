/* The log: what the agent says, file after file. */
#include "host.h"

#define LOG_BYTES (10 * 1024 * 1024)
#define LOG_KEPT 5

static HANDLE log_file = INVALID_HANDLE_VALUE;
static LONGLONG log_size;
static char last_line[1024];
static size_t last_length;

static void log_name(wchar_t *to, int number) {
  if (number == 0)
    _snwprintf(to, PATH_CHARS, L"%ls\\agent.log", logs);
  else
    _snwprintf(to, PATH_CHARS, L"%ls\\agent.%d.log", logs, number);
}

void open_log(void) {
  static wchar_t name[PATH_CHARS];
  log_name(name, 0);
  log_file = CreateFileW(name, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                         FILE_ATTRIBUTE_NORMAL, NULL);
  LARGE_INTEGER size = {0};
  if (log_file != INVALID_HANDLE_VALUE)
    GetFileSizeEx(log_file, &size);
  log_size = size.QuadPart;
}

/* Whoever reads the log without letting it be renamed holds it up: then nothing is moved, and it is tried again after
   as much more as this. */
#define LOG_AGAIN_BYTES (1024 * 1024)
static LONGLONG rotate_from = LOG_BYTES;

static void rotate(void) {
  static wchar_t from[PATH_CHARS], to[PATH_CHARS], full[PATH_CHARS];
  if (log_file != INVALID_HANDLE_VALUE)
    CloseHandle(log_file);
  log_name(from, 0);
  _snwprintf(full, PATH_CHARS, L"%ls\\agent.full.log", logs);
  if (MoveFileExW(from, full, MOVEFILE_REPLACE_EXISTING)) {
    for (int i = LOG_KEPT - 2; i >= 1; i--) {
      log_name(from, i);
      log_name(to, i + 1);
      MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING);
    }
    log_name(to, 1);
    MoveFileExW(full, to, MOVEFILE_REPLACE_EXISTING);
    rotate_from = LOG_BYTES;
  } else
    rotate_from = log_size + LOG_AGAIN_BYTES;
  open_log();
}

static void append(const char *bytes, DWORD length) {
  if (log_file == INVALID_HANDLE_VALUE)
    open_log(); /* a full disk or a folder that was away: what is said meanwhile is not kept, the agent goes on */
  DWORD written;
  if (log_file != INVALID_HANDLE_VALUE && WriteFile(log_file, bytes, length, &written, NULL))
    log_size += written;
}

DWORD WINAPI copy_output(LPVOID given) {
  HANDLE from = given;
  char bytes[16384];
  DWORD n;
  while (ReadFile(from, bytes, sizeof bytes, &n, NULL) && n > 0) {
    append(bytes, n);
    for (DWORD i = 0; i < n; i++) {
      static BOOL fresh;
      if (bytes[i] == '\n' || bytes[i] == '\r')
        fresh = TRUE;
      else {
        if (fresh)
          last_length = 0;
        fresh = FALSE;
        if (last_length < sizeof last_line - 1)
          last_line[last_length++] = bytes[i];
      }
    }
    /* Between two lines, so that no line is in two files. */
    if (log_size > rotate_from && bytes[n - 1] == '\n')
      rotate();
  }
  CloseHandle(from);
  return 0;
}

const wchar_t *last_words(void) {
  static wchar_t text[sizeof last_line];
  last_line[last_length] = 0;
  if (MultiByteToWideChar(CP_UTF8, 0, last_line, -1, text, (int)sizeof last_line) == 0)
    text[0] = 0;
  return text;
}

void forget_words(void) { last_length = 0; }
