/* What the parts of tributary-service.exe share: host.c runs the agent, words.c answers `tributary-agent service`. */
#ifndef HOST_H
#define HOST_H
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include "messages.h"

#define SERVICE_NAME L"TributaryAgent"
#define PATH_CHARS 32768
#define LONGEST_DELAY_MS (5 * 60 * 1000)
/* The agent lets what is on its way finish; it is ended after this. Windows Installer waits 30 s for a service. */
#define STOP_MS 25000

/* Folder of this program, and of the log: where the agent keeps its data. */
extern wchar_t home[PATH_CHARS];
extern wchar_t logs[PATH_CHARS];

void find_folders(void);
/* Its argument; ends the program when there is no memory. */
void *need(void *memory);
/* What the system says about an error, in its language, without the line's end. */
const wchar_t *reason(DWORD code);
/* As UTF-8. */
void put(FILE *to, const wchar_t *text);
/* "cannot WHAT: reason (code)" on standard error; 1, the exit code. */
int failed(const wchar_t *what, DWORD code);
/* Into the event log. */
void event(WORD type, DWORD id, const wchar_t *format, ...);

/* log.c: a thread copies what comes out of the pipe into the log until the pipe ends, which it closes. */
DWORD WINAPI copy_output(LPVOID pipe);
void open_log(void);
/* The last line that was said, for the event log when the agent ends by itself. */
const wchar_t *last_words(void);
void forget_words(void);

/* host.c: the service itself, as the service control manager starts it. */
void WINAPI serve(DWORD count, LPWSTR *words);

/* access.c */

/* "Log on as a service": without it Windows refuses to start a service under an account. */
DWORD allow_logon(PSID account);
/* The account's SID, to be freed; NULL with GetLastError when nobody is called that. */
PSID find_account(const wchar_t *name);
/* The folder for the system, administrators and the account alone. The exit code. */
int protect(const wchar_t *folder, const wchar_t *account);
/* One more entry in the folder's access list. The exit code. */
int grant(const wchar_t *folder, const wchar_t *account, BOOL modify);

/* words.c */
int answer(int count, wchar_t **words);
int usage(void);
#endif
