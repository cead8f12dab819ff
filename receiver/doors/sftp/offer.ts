/**
 * AES-GCM for OpenSSH. The client's order decides which cipher is taken, and up to version 9 OpenSSH's has AES-CTR
 * with a digest of its own before AES-GCM, which takes a fifth less of our processor and is half as fast again. It has known AES-GCM since
 * version 6.2, so it is offered nothing else. The price: `Ciphers aes256-ctr` alone in somebody's ssh_config finds no
 * match, which OpenSSH says in these words and with our offer.
 */
import type { Connection } from "ssh2";

interface List {
  readonly array: readonly string[];
}

/** What ssh2 1.17.0 is about to send when it announces a connection; its constructor takes the lists as arrays. */
interface Offer {
  readonly lists: {
    readonly kex: List;
    readonly serverHostKey: List;
    readonly cs: { readonly cipher: List; readonly mac: List; readonly compress: List; readonly lang: List };
  };
}

/** To be called in the listener of `connection`, before the first `await`: the offer is sent right after it. */
export function offerGcmToOpenSsh(client: Connection, software: string): void {
  if (!software.startsWith("OpenSSH_")) return;
  const protocol = (client as unknown as { _protocol: { _offer: Offer } })._protocol;
  const { kex, serverHostKey, cs } = protocol._offer.lists;
  const cipher = cs.cipher.array.filter((name) => name.includes("-gcm@"));
  const way = { cipher, mac: cs.mac.array, compress: cs.compress.array, lang: cs.lang.array };
  const KexInit = protocol._offer.constructor as new (lists: object) => Offer;
  protocol._offer = new KexInit({
    kex: kex.array,
    serverHostKey: serverHostKey.array,
    cs: way,
    sc: way,
  });
}
