/* Accounts, and what they may: log on as a service, read the data folder, read a source. */
#include "host.h"
#include <aclapi.h>
#include <ntsecapi.h>
#include <sddl.h>

DWORD allow_logon(PSID account) {
  LSA_HANDLE policy;
  LSA_OBJECT_ATTRIBUTES none = {0};
  NTSTATUS found = LsaOpenPolicy(NULL, &none, POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES, &policy);
  if (found != 0)
    return LsaNtStatusToWinError(found);
  LSA_UNICODE_STRING right = {.Buffer = L"SeServiceLogonRight", .Length = 38, .MaximumLength = 40};
  found = LsaAddAccountRights(policy, account, &right, 1);
  LsaClose(policy);
  return found == 0 ? NO_ERROR : LsaNtStatusToWinError(found);
}

PSID find_account(const wchar_t *name) {
  /* ".\name" is an account of this computer; the look-up wants its name alone. */
  if (wcsncmp(name, L".\\", 2) == 0)
    name += 2;
  DWORD sid_size = 0, domain_size = 0;
  SID_NAME_USE use;
  LookupAccountNameW(NULL, name, NULL, &sid_size, NULL, &domain_size, &use);
  if (sid_size == 0)
    return NULL;
  PSID sid = need(malloc(sid_size));
  wchar_t *domain = need(malloc((domain_size + 1) * sizeof *domain));
  BOOL found = LookupAccountNameW(NULL, name, sid, &sid_size, domain, &domain_size, &use);
  DWORD error = GetLastError();
  free(domain);
  if (found)
    return sid;
  free(sid);
  SetLastError(error);
  return NULL;
}

static BOOL is_own_account(PSID sid) {
  HANDLE token;
  BYTE user[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return FALSE;
  BOOL own = GetTokenInformation(token, TokenUser, user, sizeof user, &size) &&
             EqualSid(((TOKEN_USER *)user)->User.Sid, sid);
  CloseHandle(token);
  return own;
}

/*
 * Whether the folder belongs to the system, the administrators or this process, and is a folder itself: everybody may
 * make folders in ProgramData, and make a junction of one, whose target may belong to anybody today and to him tomorrow.
 * Whoever made ours before us would stay its owner, and open it again however it is protected.
 */
static BOOL is_ours(const wchar_t *folder) {
  HANDLE handle = CreateFileW(folder, READ_CONTROL | FILE_READ_ATTRIBUTES,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (handle == INVALID_HANDLE_VALUE)
    return FALSE;
  BY_HANDLE_FILE_INFORMATION found;
  PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID owner;
  BOOL ours = GetFileInformationByHandle(handle, &found) &&
              !(found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) &&
              GetSecurityInfo(handle, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL, NULL, NULL,
                              &descriptor) == ERROR_SUCCESS &&
              (IsWellKnownSid(owner, WinBuiltinAdministratorsSid) || IsWellKnownSid(owner, WinLocalSystemSid) ||
               is_own_account(owner));
  LocalFree(descriptor);
  CloseHandle(handle);
  return ours;
}

/* 0, or 1 after it said that the folder, or the one of our name above it, is somebody else's. */
static int refuse_foreign(const wchar_t *folder) {
  static wchar_t above[PATH_CHARS];
  _snwprintf(above, PATH_CHARS - 1, L"%ls", folder);
  wchar_t *last = wcsrchr(above, L'\\');
  if (last)
    *last = 0;
  const wchar_t *name = wcsrchr(above, L'\\');
  BOOL named = name && _wcsicmp(name + 1, L"Tributary") == 0;
  const wchar_t *foreign = !is_ours(folder) ? folder : named && !is_ours(above) ? above : NULL;
  if (!foreign)
    return 0;
  put(stderr, foreign);
  put(stderr, L" belongs to another account, or is a link: somebody else could read the agent's key there; look at what "
              L"is in it, remove it, and install again\n");
  return 1;
}

/*
 * The folder for the system, administrators and the account alone, inherited by what lies in it; nothing from above.
 * One that is missing is made so, and never stood open; one that is there passes it on to all that lies in it.
 */
int protect(const wchar_t *folder, const wchar_t *account) {
  wchar_t text[512] = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
  if (account && _wcsicmp(account, L"LocalSystem") != 0) {
    PSID sid = find_account(account);
    wchar_t *name = NULL;
    if (sid == NULL || !ConvertSidToStringSidW(sid, &name))
      return failed(L"find the account that the service runs as", GetLastError());
    /* Modify: all but changing permissions and owner. */
    _snwprintf(text + wcslen(text), 400, L"(A;OICI;0x1301bf;;;%ls)", name);
    LocalFree(name);
    free(sid);
  }
  PSECURITY_DESCRIPTOR descriptor;
  PACL list;
  BOOL present, defaulted;
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, &descriptor, NULL) ||
      !GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted))
    return failed(L"write the permissions", GetLastError());
  SECURITY_ATTRIBUTES made = {.nLength = sizeof made, .lpSecurityDescriptor = descriptor};
  DWORD error = CreateDirectoryW(folder, &made) ? NO_ERROR : GetLastError();
  if ((error == NO_ERROR || error == ERROR_ALREADY_EXISTS) && refuse_foreign(folder)) {
    LocalFree(descriptor);
    return 1;
  }
  if (error == ERROR_ALREADY_EXISTS)
    error = SetNamedSecurityInfoW((LPWSTR)folder, SE_FILE_OBJECT,
                                  DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL, list,
                                  NULL);
  LocalFree(descriptor);
  return error == ERROR_SUCCESS ? 0 : failed(L"make the data folder and set its permissions", error);
}

/* One more entry in the folder's list, inherited by what lies in it; those that are there stay. */
int grant(const wchar_t *folder, const wchar_t *account, BOOL modify) {
  if (_wcsicmp(account, L"LocalSystem") == 0)
    return 0;
  PSID sid = find_account(account);
  if (sid == NULL)
    return failed(L"find the account that the service runs as", GetLastError());
  PSECURITY_DESCRIPTOR descriptor;
  PACL before, after;
  DWORD error =
      GetNamedSecurityInfoW(folder, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &before, NULL, &descriptor);
  if (error == ERROR_SUCCESS) {
    EXPLICIT_ACCESSW entry = {.grfAccessPermissions = modify ? 0x1301bf : FILE_GENERIC_READ | FILE_GENERIC_EXECUTE,
                              .grfAccessMode = GRANT_ACCESS,
                              .grfInheritance = SUB_CONTAINERS_AND_OBJECTS_INHERIT};
    BuildTrusteeWithSidW(&entry.Trustee, sid);
    error = SetEntriesInAclW(1, &entry, before, &after);
    if (error == ERROR_SUCCESS) {
      error = SetNamedSecurityInfoW((LPWSTR)folder, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, after, NULL);
      LocalFree(after);
    }
    LocalFree(descriptor);
  }
  free(sid);
  return error == ERROR_SUCCESS ? 0 : failed(L"give the service's account the right to the folder", error);
}
