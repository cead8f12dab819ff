/*
 * tributary-service.exe: the agent as a Windows service, and what only the Windows API can do for its installation.
 *
 * Started by the service control manager it keeps tributary-agent.exe (beside it) running: started again with back-off
 * when it ends, its output in a log that is rotated, starts and failures in the event log. A stop closes the agent's
 * input, which the agent takes as the wish to stop (TRIBUTARY_STOP_ON_STDIN_EOF), and waits for it.
 *
 * With a word it is the hand of `tributary-agent service ...` and of the installer; answers are lines of key=value on
 * standard output, never in the system's language, so nobody has to read what `sc` prints in German.
 *
 *   tributary-service register [ACCOUNT]   password, if any, on standard input
 *   tributary-service unregister | start | stop | status | rights
 *   tributary-service protect DIR [ACCOUNT]
 *   tributary-service grant DIR ACCOUNT read|modify
 *
 * Exit codes: 0 done, 1 failed (what and why on standard error), 2 wrong usage.
 */
#include <stdarg.h>
#include "host.h"

wchar_t home[PATH_CHARS];
wchar_t logs[PATH_CHARS];

void *need(void *memory) {
  if (memory == NULL) {
    fputs("out of memory\n", stderr);
    exit(1);
  }
  return memory;
}

const wchar_t *reason(DWORD code) {
  static wchar_t text[512];
  DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0, text, 480, NULL);
  while (n > 0 && (text[n - 1] == L'\n' || text[n - 1] == L'\r' || text[n - 1] == L'.' || text[n - 1] == L' '))
    text[--n] = 0;
  if (n == 0)
    wcscpy(text, L"no text for it");
  return text;
}

void put(FILE *to, const wchar_t *text) {
  int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
  char *bytes = need(malloc((size_t)n));
  WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, n, NULL, NULL);
  fputs(bytes, to);
  free(bytes);
}

int failed(const wchar_t *what, DWORD code) {
  wchar_t text[2048];
  _snwprintf(text, 2047, L"cannot %ls: %ls (Windows error %lu)\n", what, reason(code), code);
  text[2047] = 0;
  put(stderr, text);
  return 1;
}

void find_folders(void) {
  GetModuleFileNameW(NULL, home, PATH_CHARS);
  wchar_t *last = wcsrchr(home, L'\\');
  if (last)
    *last = 0;
  wchar_t data[PATH_CHARS / 2];
  DWORD n = GetEnvironmentVariableW(L"TRIBUTARY_DATA", data, PATH_CHARS / 2);
  if (n == 0 || n >= PATH_CHARS / 2) {
    n = GetEnvironmentVariableW(L"ProgramData", data, PATH_CHARS / 2 - 32);
    if (n == 0)
      wcscpy(data, L"C:\\ProgramData");
    wcscat(data, L"\\Tributary\\Agent");
  }
  _snwprintf(logs, PATH_CHARS, L"%ls\\logs", data);
}

void event(WORD type, DWORD id, const wchar_t *format, ...) {
  wchar_t text[4096];
  va_list args;
  va_start(args, format);
  _vsnwprintf(text, 4095, format, args);
  va_end(args);
  text[4095] = 0;
  HANDLE source = RegisterEventSourceW(NULL, SERVICE_NAME);
  if (source == NULL)
    return;
  const wchar_t *strings[1] = {text};
  ReportEventW(source, type, 0, id, NULL, 1, 0, strings, NULL);
  DeregisterEventSource(source);
}

int wmain(int count, wchar_t **words) {
  find_folders();
  if (count < 2)
    return usage();
  if (wcscmp(words[1], L"serve") != 0)
    return answer(count, words);
  SERVICE_TABLE_ENTRYW table[] = {{SERVICE_NAME, serve}, {NULL, NULL}};
  return StartServiceCtrlDispatcherW(table) ? 0 : usage();
}
