/*
 * tributary-setup.dll: what the .msi does after the files are there. It starts `tributary-agent service install`, gives
 * it code and password through standard input, where no list of processes shows them, and writes what it says into the
 * installer's log.
 *
 * CustomActionData: folder|client|name|source folder|account|code|password, the last of which may hold anything.
 */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <msi.h>
#include <msiquery.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include "messages.h"

#define LINE_CHARS 32768
enum { HOME, CLIENT, NAME, FOLDER, ACCOUNT, CODE, PASSWORD, FIELDS };

static void tell(MSIHANDLE install, INSTALLMESSAGE kind, const wchar_t *text) {
  MSIHANDLE record = MsiCreateRecord(1);
  MsiRecordSetStringW(record, 0, L"Tributary Agent: [1]");
  MsiRecordSetStringW(record, 1, text);
  MsiProcessMessage(install, kind, record);
  MsiCloseHandle(record);
}

/* Appends a space and the word, quoted as the C library of the other program takes quotes apart. */
static void add_word(wchar_t *line, const wchar_t *word) {
  size_t at = wcslen(line);
  if (at + 2 * wcslen(word) + 4 >= LINE_CHARS)
    return;
  line[at++] = L' ';
  line[at++] = L'"';
  size_t slashes = 0;
  for (; *word; word++) {
    if (*word == L'\\')
      slashes++;
    else {
      if (*word == L'"')
        for (slashes++; slashes > 0; slashes--)
          line[at++] = L'\\';
      slashes = 0;
    }
    line[at++] = *word;
  }
  /* Before the closing quote each one counts twice. */
  for (; slashes > 0; slashes--)
    line[at++] = L'\\';
  line[at++] = L'"';
  line[at] = 0;
}

static void send_line(HANDLE to, const wchar_t *text) {
  char bytes[4096];
  DWORD written;
  int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes - 1, NULL, NULL);
  if (n <= 0)
    return;
  bytes[n - 1] = '\n';
  WriteFile(to, bytes, (DWORD)n, &written, NULL);
  SecureZeroMemory(bytes, sizeof bytes);
}

struct last {
  wchar_t text[1024];
};

/* Every line into the installer's log; the last one that tells of a failure is kept. */
static void copy_lines(MSIHANDLE install, HANDLE from, struct last *last) {
  static char line[4096];
  static wchar_t text[4096];
  size_t length = 0;
  char byte;
  DWORD n;
  while (ReadFile(from, &byte, 1, &n, NULL) && n == 1) {
    if (byte != '\n' && length < sizeof line - 1) {
      if (byte != '\r')
        line[length++] = byte;
      continue;
    }
    line[length] = 0;
    length = 0;
    if (line[0] == 0 || !MultiByteToWideChar(CP_UTF8, 0, line, -1, text, 4096))
      continue;
    tell(install, INSTALLMESSAGE_INFO, text);
    if (wcsncmp(text, L"tributary-agent: ", 17) == 0 || wcsncmp(text, L"fail", 4) == 0) {
      size_t used = wcslen(last->text);
      _snwprintf(last->text + used, 1023 - used, L"%ls%ls", used ? L" / " : L"", text);
      last->text[1023] = 0;
    }
  }
}

/* Runs the line with the given input; its exit code, or -1 when it could not be started. */
static int run(MSIHANDLE install, wchar_t *line, const wchar_t *first, const wchar_t *second, struct last *last) {
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
  HANDLE in_read, in_write, out_read, out_write;
  if (!CreatePipe(&in_read, &in_write, &inherited, 0) || !CreatePipe(&out_read, &out_write, &inherited, 0))
    return -1;
  SetHandleInformation(in_write, HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(out_read, HANDLE_FLAG_INHERIT, 0);
  STARTUPINFOW startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = in_read,
                          .hStdOutput = out_write,
                          .hStdError = out_write};
  PROCESS_INFORMATION made;
  BOOL started = CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &startup, &made);
  CloseHandle(in_read);
  CloseHandle(out_write);
  DWORD code = (DWORD)-1;
  if (started) {
    if (first)
      send_line(in_write, first);
    if (second)
      send_line(in_write, second);
    CloseHandle(in_write);
    copy_lines(install, out_read, last);
    WaitForSingleObject(made.hProcess, INFINITE);
    GetExitCodeProcess(made.hProcess, &code);
    CloseHandle(made.hProcess);
    CloseHandle(made.hThread);
  } else {
    _snwprintf(last->text, 1023, L"cannot start %ls (Windows error %lu)", line, GetLastError());
    CloseHandle(in_write);
  }
  CloseHandle(out_read);
  return (int)code;
}

/* Where an administrator looks who did not ask for a log. */
static void tell_event_log(const wchar_t *text) {
  HANDLE source = RegisterEventSourceW(NULL, L"TributaryAgent");
  const wchar_t *strings[1] = {text};
  if (source == NULL)
    return;
  ReportEventW(source, EVENTLOG_ERROR_TYPE, 0, MSG_ERROR, NULL, 1, 0, strings, NULL);
  DeregisterEventSource(source);
}

/* The action's data, taken apart in place. */
static wchar_t *read_data(MSIHANDLE install, wchar_t *fields[FIELDS]) {
  DWORD length = 0;
  static wchar_t none[1] = L"";
  MsiGetPropertyW(install, L"CustomActionData", none, &length);
  wchar_t *data = calloc(++length, sizeof *data);
  if (data == NULL || MsiGetPropertyW(install, L"CustomActionData", data, &length) != ERROR_SUCCESS) {
    free(data);
    return NULL;
  }
  wchar_t *rest = data;
  for (int i = 0; i < FIELDS; i++) {
    fields[i] = rest;
    wchar_t *bar = i + 1 < FIELDS ? wcschr(rest, L'|') : NULL;
    rest = bar ? bar + 1 : rest + wcslen(rest);
    if (bar)
      *bar = 0;
  }
  return data;
}

static void begin_line(wchar_t *line, const wchar_t *folder) {
  size_t n = wcslen(folder);
  _snwprintf(line, LINE_CHARS - 64, L"\"%ls%lstributary-agent.exe\" service", folder,
             n > 0 && folder[n - 1] == L'\\' ? L"" : L"\\");
}

__declspec(dllexport) UINT __stdcall Setup(MSIHANDLE install) {
  static wchar_t line[LINE_CHARS];
  struct last last = {L""};
  wchar_t *fields[FIELDS];
  wchar_t *data = read_data(install, fields);
  if (data == NULL)
    return ERROR_INSTALL_FAILURE;
  static const wchar_t *const options[] = {NULL, L"--client", L"--name", L"--folder", L"--account"};
  begin_line(line, fields[HOME]);
  wcscat(line, L" install");
  for (int i = CLIENT; i <= ACCOUNT; i++)
    if (fields[i][0]) {
      add_word(line, options[i]);
      add_word(line, fields[i]);
    }
  const wchar_t *code = fields[CODE][0] ? fields[CODE] : NULL;
  const wchar_t *password = fields[PASSWORD][0] ? fields[PASSWORD] : NULL;
  if (code)
    wcscat(line, L" --code -");
  if (password)
    wcscat(line, L" --password -");
  tell(install, INSTALLMESSAGE_INFO, line);
  int ended = run(install, line, code, password, &last);
  SecureZeroMemory(data, wcslen(data) * sizeof *data);
  free(data);
  /* Installed, and a check found something, a receiver that is down for one: taking all back would not mend it. */
  if (ended == 3)
    tell_event_log(last.text);
  if (ended == 0 || ended == 3)
    return ERROR_SUCCESS;
  if (last.text[0] == 0)
    wcscpy(last.text, L"the service could not be set up; the lines above say why");
  tell(install, INSTALLMESSAGE_ERROR, last.text);
  tell_event_log(last.text);
  return ERROR_INSTALL_FAILURE;
}

/* At the end of the program's time here, or when an installation is taken back. A service that is gone is no failure. */
__declspec(dllexport) UINT __stdcall Remove(MSIHANDLE install) {
  static wchar_t line[LINE_CHARS];
  struct last last = {L""};
  wchar_t *fields[FIELDS];
  wchar_t *data = read_data(install, fields);
  if (data == NULL)
    return ERROR_SUCCESS;
  begin_line(line, fields[HOME]);
  wcscat(line, L" uninstall");
  /* The second field is the wish to delete everything. */
  if (fields[CLIENT][0])
    wcscat(line, L" --purge");
  run(install, line, NULL, NULL, &last);
  free(data);
  return ERROR_SUCCESS;
}
