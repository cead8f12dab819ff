/* The service: keeps the agent running until the system wants it to stop. */
#include "host.h"

#define FIRST_DELAY_MS 1000
/* An agent that ran this long had started well: the next delay is the first again. */
#define WELL_MS (10 * 60 * 1000)

static SERVICE_STATUS_HANDLE status_handle;
static SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS};
static HANDLE stop_wanted;

static void tell(DWORD state, DWORD hint_ms) {
  static DWORD checkpoint;
  BOOL pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
  status.dwCurrentState = state;
  status.dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN : 0;
  status.dwCheckPoint = pending ? ++checkpoint : 0;
  status.dwWaitHint = hint_ms;
  SetServiceStatus(status_handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, LPVOID data, LPVOID context) {
  (void)type;
  (void)data;
  (void)context;
  switch (code) {
  case SERVICE_CONTROL_STOP:
  case SERVICE_CONTROL_PRESHUTDOWN:
    tell(SERVICE_STOP_PENDING, STOP_MS + 5000);
    SetEvent(stop_wanted);
    return NO_ERROR;
  case SERVICE_CONTROL_INTERROGATE:
    return NO_ERROR;
  }
  return ERROR_CALL_NOT_IMPLEMENTED;
}

struct agent {
  HANDLE process, job, input, copier;
};

/* The agent as a child that dies with this process. FALSE, with GetLastError, when it could not be started. */
static BOOL launch(struct agent *agent) {
  static wchar_t line[PATH_CHARS];
  _snwprintf(line, PATH_CHARS, L"\"%ls\\tributary-agent.exe\" run", home);
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
  HANDLE in_read, out_read, out_write;
  if (!CreatePipe(&in_read, &agent->input, &inherited, 0))
    return FALSE;
  if (!CreatePipe(&out_read, &out_write, &inherited, 0)) {
    CloseHandle(in_read);
    CloseHandle(agent->input);
    return FALSE;
  }
  SetHandleInformation(agent->input, HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(out_read, HANDLE_FLAG_INHERIT, 0);
  STARTUPINFOW startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = in_read,
                          .hStdOutput = out_write,
                          .hStdError = out_write};
  PROCESS_INFORMATION made;
  SetEnvironmentVariableW(L"TRIBUTARY_STOP_ON_STDIN_EOF", L"1");
  agent->job = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
      .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  SetInformationJobObject(agent->job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
  BOOL started =
      CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, home, &startup, &made);
  DWORD error = GetLastError();
  CloseHandle(in_read);
  CloseHandle(out_write);
  if (!started) {
    CloseHandle(agent->input);
    CloseHandle(out_read);
    CloseHandle(agent->job);
    SetLastError(error);
    return FALSE;
  }
  AssignProcessToJobObject(agent->job, made.hProcess);
  forget_words();
  agent->copier = CreateThread(NULL, 0, copy_output, out_read, 0, NULL);
  ResumeThread(made.hThread);
  CloseHandle(made.hThread);
  agent->process = made.hProcess;
  return TRUE;
}

/* After the process ended, or to end it: the job takes with it what the agent started. */
static DWORD bury(struct agent *agent) {
  DWORD code = 0;
  GetExitCodeProcess(agent->process, &code);
  if (agent->input)
    CloseHandle(agent->input);
  CloseHandle(agent->job);
  WaitForSingleObject(agent->copier, 5000);
  CloseHandle(agent->copier);
  CloseHandle(agent->process);
  return code;
}

/* Closes the agent's input and waits. FALSE when it had to be ended. */
static BOOL let_stop(struct agent *agent) {
  CloseHandle(agent->input);
  agent->input = NULL;
  for (DWORD waited = 0; waited < STOP_MS; waited += 1000) {
    if (WaitForSingleObject(agent->process, 1000) == WAIT_OBJECT_0)
      return TRUE;
    tell(SERVICE_STOP_PENDING, 5000);
  }
  TerminateJobObject(agent->job, 1);
  WaitForSingleObject(agent->process, 5000);
  return FALSE;
}

void WINAPI serve(DWORD count, LPWSTR *words) {
  (void)count;
  (void)words;
  status_handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, control, NULL);
  if (!status_handle)
    return;
  stop_wanted = CreateEventW(NULL, TRUE, FALSE, NULL);
  tell(SERVICE_START_PENDING, 10000);
  CreateDirectoryW(logs, NULL);
  open_log();
  DWORD delay = FIRST_DELAY_MS;
  BOOL told = FALSE;
  for (;;) {
    struct agent agent = {0};
    ULONGLONG began = GetTickCount64();
    if (launch(&agent)) {
      if (!told) {
        tell(SERVICE_RUNNING, 0);
        event(EVENTLOG_INFORMATION_TYPE, MSG_INFORMATION, L"The agent was started. Its log: %ls\\agent.log", logs);
        told = TRUE;
      }
      HANDLE either[2] = {stop_wanted, agent.process};
      if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0) {
        BOOL gentle = let_stop(&agent);
        DWORD code = bury(&agent);
        if (gentle)
          event(EVENTLOG_INFORMATION_TYPE, MSG_INFORMATION, L"The agent was stopped (exit code %lu).", code);
        else
          event(EVENTLOG_WARNING_TYPE, MSG_WARNING,
                L"The agent did not stop within %d s and was ended. Nothing is lost: it goes on after the next start.",
                STOP_MS / 1000);
        break;
      }
      if (GetTickCount64() - began >= WELL_MS)
        delay = FIRST_DELAY_MS;
      DWORD code = bury(&agent);
      event(EVENTLOG_ERROR_TYPE, MSG_ERROR,
            L"The agent ended by itself (exit code %lu) and is started again in %lu s. Its last line: %ls", code,
            delay / 1000, last_words());
    } else {
      DWORD error = GetLastError();
      if (!told) {
        /* Not even once: whoever starts the service is to know. */
        event(EVENTLOG_ERROR_TYPE, MSG_ERROR, L"%ls\\tributary-agent.exe cannot be started: %ls (Windows error %lu).",
              home, reason(error), error);
        status.dwWin32ExitCode = error;
        tell(SERVICE_STOPPED, 0);
        return;
      }
      event(EVENTLOG_ERROR_TYPE, MSG_ERROR,
            L"%ls\\tributary-agent.exe cannot be started: %ls (Windows error %lu). It is tried again in %lu s.", home,
            reason(error), error, delay / 1000);
    }
    if (WaitForSingleObject(stop_wanted, delay) == WAIT_OBJECT_0)
      break;
    delay = delay * 2 > LONGEST_DELAY_MS ? LONGEST_DELAY_MS : delay * 2;
  }
  status.dwWin32ExitCode = NO_ERROR;
  tell(SERVICE_STOPPED, 0);
}

