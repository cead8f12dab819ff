/** The one thing that ssh2 does not say anywhere else. Its version is pinned. */
declare module "ssh2/lib/protocol/crypto.js" {
  const crypto: { readonly bindingAvailable: boolean };
  export default crypto;
}
