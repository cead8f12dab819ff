/** The login's own routes: better-auth behind /api/auth. */
import {
  browserSupportsWebAuthn,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
  startAuthentication,
  startRegistration,
} from "@simplewebauthn/browser";
import { send } from "./api.ts";

const post = <T>(path: string, body: object): Promise<T> =>
  send<T>(`/api/auth${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** True: a code of the second factor is wanted before the session begins. */
export async function signIn(email: string, password: string): Promise<boolean> {
  const answer = await post<{ twoFactorRedirect?: boolean }>("/sign-in/email", { email, password });
  return answer.twoFactorRedirect === true;
}

export const verifyTotp = (code: string): Promise<unknown> => post("/two-factor/verify-totp", { code });
export const verifyBackupCode = (code: string): Promise<unknown> =>
  post("/two-factor/verify-backup-code", { code });
export const signOut = (): Promise<unknown> => post("/sign-out", {});
export const changePassword = (currentPassword: string, newPassword: string): Promise<unknown> =>
  post("/change-password", { currentPassword, newPassword });

/** Leaves the page for the provider's. `to`: where it comes back to. */
export async function signInWith(provider: string, to: string): Promise<void> {
  const { url } = await post<{ url: string }>("/sign-in/social", {
    provider,
    callbackURL: to,
    errorCallbackURL: "/sign-in",
  });
  window.location.assign(url);
}

export const canUsePasskeys = browserSupportsWebAuthn;

export async function signInWithPasskey(): Promise<void> {
  const optionsJSON = await send<PublicKeyCredentialRequestOptionsJSON>(
    "/api/auth/passkey/generate-authenticate-options",
    {},
  );
  await post("/passkey/verify-authentication", { response: await startAuthentication({ optionsJSON }) });
}

export async function addPasskey(name: string): Promise<void> {
  const optionsJSON = await send<PublicKeyCredentialCreationOptionsJSON>(
    "/api/auth/passkey/generate-register-options",
    {},
  );
  await post("/passkey/verify-registration", { response: await startRegistration({ optionsJSON }), name });
}

export interface Passkey {
  readonly id: string;
  readonly name?: string | null;
  readonly createdAt: string;
}

export const listPasskeys = (): Promise<readonly Passkey[]> =>
  send("/api/auth/passkey/list-user-passkeys", {});
export const deletePasskey = (id: string): Promise<unknown> => post("/passkey/delete-passkey", { id });

/** `totpURI` is what the authenticator app reads; the codes are for when the phone is lost. */
export const enableTotp = (
  password: string,
): Promise<{ readonly totpURI: string; readonly backupCodes: readonly string[] }> =>
  post("/two-factor/enable", { password });
export const disableTotp = (password: string): Promise<unknown> => post("/two-factor/disable", { password });
export const newBackupCodes = (password: string): Promise<{ readonly backupCodes: readonly string[] }> =>
  post("/two-factor/generate-backup-codes", { password });
