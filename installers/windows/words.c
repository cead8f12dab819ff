/* What only the Windows API can do for the installation, as `tributary-agent service` asks for it. */
#include "host.h"

#define DISPLAY_NAME L"Tributary Agent"
#define DESCRIPTION L"Sends the files of the configured folders to the receiver of the central data team."
#define EVENT_KEY L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" SERVICE_NAME

static SC_HANDLE open_manager(DWORD access) { return OpenSCManagerW(NULL, NULL, access); }

static DWORD set_text(HKEY key, const wchar_t *name, DWORD type, const wchar_t *value) {
  return RegSetValueExW(key, name, 0, type, (const BYTE *)value, (DWORD)((wcslen(value) + 1) * sizeof *value));
}

/* Where the event viewer finds the texts: in this file. */
static DWORD register_events(void) {
  static wchar_t file[PATH_CHARS];
  HKEY key;
  DWORD error = RegCreateKeyExW(HKEY_LOCAL_MACHINE, EVENT_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
  if (error != ERROR_SUCCESS)
    return error;
  _snwprintf(file, PATH_CHARS, L"%ls\\tributary-service.exe", home);
  DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
  error = set_text(key, L"EventMessageFile", REG_EXPAND_SZ, file);
  if (error == ERROR_SUCCESS)
    error = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
  RegCloseKey(key);
  return error;
}

/* One line of standard input, UTF-8; NULL when there is none. */
static wchar_t *read_password(void) {
  char bytes[1024];
  if (fgets(bytes, sizeof bytes, stdin) == NULL)
    return NULL;
  bytes[strcspn(bytes, "\r\n")] = 0;
  if (bytes[0] == 0)
    return NULL;
  wchar_t *text = need(calloc(sizeof bytes, sizeof *text));
  MultiByteToWideChar(CP_UTF8, 0, bytes, -1, text, (int)sizeof bytes);
  SecureZeroMemory(bytes, sizeof bytes);
  return text;
}

/* Of these Windows wants the empty password when a service changes over to them; NULL there means the one of before. */
static BOOL has_no_password(const wchar_t *account) {
  return _wcsnicmp(account, L"NT AUTHORITY\\", 13) == 0 || _wcsicmp(account, L"LocalSystem") == 0;
}

/* Accounts that Windows makes itself may always log on as a service, and that of the service is only known with it. */
static BOOL is_built_in(const wchar_t *account) {
  return _wcsnicmp(account, L"NT SERVICE\\", 11) == 0 || has_no_password(account);
}

/* Makes the service, or brings an existing one to the same state; without an account it keeps the one that it has. */
static int register_service(const wchar_t *account) {
  static wchar_t line[PATH_CHARS];
  _snwprintf(line, PATH_CHARS, L"\"%ls\\tributary-service.exe\" serve", home);
  DWORD error;
  if (account && !is_built_in(account)) {
    PSID sid = find_account(account);
    if (sid == NULL)
      return failed(L"find the account that the service shall run as", GetLastError());
    error = allow_logon(sid);
    free(sid);
    if (error != NO_ERROR)
      return failed(L"give the account the right to log on as a service", error);
  }
  wchar_t *password = account ? read_password() : NULL;
  SC_HANDLE manager = open_manager(SC_MANAGER_CREATE_SERVICE | SC_MANAGER_CONNECT);
  if (!manager)
    return failed(L"open the service manager (run this as an administrator)", GetLastError());
  SC_HANDLE service = CreateServiceW(manager, SERVICE_NAME, DISPLAY_NAME, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                     SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, L"Tcpip\0", account,
                                     password);
  error = GetLastError();
  if (!service && error == ERROR_SERVICE_EXISTS) {
    service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS);
    error = GetLastError();
    if (service && !ChangeServiceConfigW(service, SERVICE_NO_CHANGE, SERVICE_AUTO_START, SERVICE_NO_CHANGE, line, NULL,
                                         NULL, L"Tcpip\0", account,
                                         account && has_no_password(account) ? L"" : password, DISPLAY_NAME)) {
      error = GetLastError();
      CloseServiceHandle(service);
      service = NULL;
    }
  }
  if (password)
    SecureZeroMemory(password, wcslen(password) * sizeof *password);
  CloseServiceHandle(manager);
  if (!service)
    return failed(L"register the service", error);
  SERVICE_DESCRIPTIONW description = {DESCRIPTION};
  ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
  /* The host restarts the agent; this is for the host itself. */
  SC_ACTION again[3] = {
      {SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 60000}, {SC_ACTION_RESTART, LONGEST_DELAY_MS}};
  SERVICE_FAILURE_ACTIONSW actions = {.dwResetPeriod = 86400, .cActions = 3, .lpsaActions = again};
  ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &actions);
  /* Also when it says that it stopped because the agent could not be started. */
  SERVICE_FAILURE_ACTIONS_FLAG also_stopped = {TRUE};
  ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_stopped);
  SERVICE_PRESHUTDOWN_INFO patience = {STOP_MS + 5000};
  ChangeServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, &patience);
  CloseServiceHandle(service);
  error = register_events();
  return error == ERROR_SUCCESS ? 0 : failed(L"register the source of the event log", error);
}

/* The service's handle; NULL after it said why not. */
static SC_HANDLE open_service(DWORD access) {
  SC_HANDLE manager = open_manager(SC_MANAGER_CONNECT);
  SC_HANDLE service = manager ? OpenServiceW(manager, SERVICE_NAME, access) : NULL;
  DWORD error = GetLastError();
  if (manager)
    CloseServiceHandle(manager);
  if (!service)
    failed(error == ERROR_SERVICE_DOES_NOT_EXIST ? L"find the service (`tributary-agent service install` makes it)"
                                                 : L"open the service (run this as an administrator)",
           error);
  return service;
}

/* Waits while the service is on its way; its state then. */
static DWORD settled(SC_HANDLE service, DWORD on_the_way, DWORD limit_ms) {
  SERVICE_STATUS now = {0};
  for (DWORD waited = 0;; waited += 200) {
    if (!QueryServiceStatus(service, &now) || now.dwCurrentState != on_the_way || waited >= limit_ms)
      return now.dwCurrentState;
    Sleep(200);
  }
}

static int start_service(void) {
  SC_HANDLE service = open_service(SERVICE_START | SERVICE_QUERY_STATUS);
  if (!service)
    return 1;
  int code = 0;
  settled(service, SERVICE_STOP_PENDING, STOP_MS + 15000);
  if (!StartServiceW(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
    code = failed(L"start the service", GetLastError());
  else if (settled(service, SERVICE_START_PENDING, 30000) != SERVICE_RUNNING) {
    SERVICE_STATUS now = {0};
    QueryServiceStatus(service, &now);
    code = failed(L"start the service: it ended at once; the event log (Application, TributaryAgent) says why",
                  now.dwWin32ExitCode);
  }
  CloseServiceHandle(service);
  return code;
}

static int stop_service(SC_HANDLE service) {
  SERVICE_STATUS now;
  settled(service, SERVICE_START_PENDING, 30000);
  /* "Cannot accept": somebody else has stopped it, and it is on its way. */
  if (!ControlService(service, SERVICE_CONTROL_STOP, &now) && GetLastError() != ERROR_SERVICE_NOT_ACTIVE &&
      GetLastError() != ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
    return failed(L"stop the service", GetLastError());
  if (settled(service, SERVICE_STOP_PENDING, STOP_MS + 15000) != SERVICE_STOPPED) {
    put(stderr, L"the service does not stop; end the process tributary-service.exe\n");
    return 1;
  }
  return 0;
}

static int unregister_service(void) {
  SC_HANDLE service = open_service(DELETE | SERVICE_STOP | SERVICE_QUERY_STATUS);
  if (!service)
    return 1;
  int code = stop_service(service);
  if (code == 0 && !DeleteService(service) && GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
    code = failed(L"remove the service", GetLastError());
  CloseServiceHandle(service);
  RegDeleteKeyW(HKEY_LOCAL_MACHINE, EVENT_KEY);
  return code;
}

/* state=running|stopped|starting|stopping|absent, pid=, account=, start=auto|manual|disabled */
static int tell_status(void) {
  SC_HANDLE manager = open_manager(SC_MANAGER_CONNECT);
  if (!manager)
    return failed(L"open the service manager", GetLastError());
  SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG);
  DWORD error = GetLastError();
  CloseServiceHandle(manager);
  if (!service) {
    if (error != ERROR_SERVICE_DOES_NOT_EXIST)
      return failed(L"open the service", error);
    puts("state=absent");
    return 0;
  }
  SERVICE_STATUS_PROCESS now = {0};
  DWORD needed = 0;
  QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&now, sizeof now, &needed);
  static const char *const names[] = {"?",        "stopped", "starting", "stopping", "running",
                                      "resuming", "pausing", "paused"};
  printf("state=%s\npid=%lu\n", names[now.dwCurrentState <= 7 ? now.dwCurrentState : 0], now.dwProcessId);
  QueryServiceConfigW(service, NULL, 0, &needed);
  QUERY_SERVICE_CONFIGW *config = need(malloc(needed));
  if (QueryServiceConfigW(service, config, needed, &needed)) {
    printf("start=%s\naccount=", config->dwStartType == SERVICE_AUTO_START     ? "auto"
                                 : config->dwStartType == SERVICE_DEMAND_START ? "manual"
                                                                               : "disabled");
    put(stdout, config->lpServiceStartName ? config->lpServiceStartName : L"LocalSystem");
    puts("");
  }
  free(config);
  CloseServiceHandle(service);
  return 0;
}

/* elevated=yes|no: whether this process may change services. */
static int tell_rights(void) {
  SC_HANDLE manager = open_manager(SC_MANAGER_CREATE_SERVICE);
  puts(manager ? "elevated=yes" : "elevated=no");
  if (manager)
    CloseServiceHandle(manager);
  return 0;
}

int usage(void) {
  fputs("this program is the service of tributary-agent; use `tributary-agent service install|uninstall|start|stop|status`\n",
        stderr);
  return 2;
}

int answer(int count, wchar_t **words) {
  const wchar_t *word = words[1];
  const wchar_t *third = count > 2 && words[2][0] ? words[2] : NULL;
  const wchar_t *fourth = count > 3 && words[3][0] ? words[3] : NULL;
  if (wcscmp(word, L"rights") == 0)
    return tell_rights();
  if (wcscmp(word, L"register") == 0)
    return register_service(third);
  if (wcscmp(word, L"unregister") == 0)
    return unregister_service();
  if (wcscmp(word, L"start") == 0)
    return start_service();
  if (wcscmp(word, L"stop") == 0) {
    SC_HANDLE service = open_service(SERVICE_STOP | SERVICE_QUERY_STATUS);
    int code = service ? stop_service(service) : 1;
    if (service)
      CloseServiceHandle(service);
    return code;
  }
  if (wcscmp(word, L"status") == 0)
    return tell_status();
  if (wcscmp(word, L"protect") == 0 && third)
    return protect(third, fourth);
  if (wcscmp(word, L"grant") == 0 && third && fourth)
    return grant(third, fourth, count > 4 && wcscmp(words[4], L"modify") == 0);
  return usage();
}
