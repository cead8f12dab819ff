/** XML as events, without its dangers: no DTD, so no entities of the file's own, and nothing that it points to is opened. */
import sax from "sax";

export interface Events {
  /** Names without their prefixes. Gives true when enough was seen. */
  open?(name: string, attributes: Readonly<Record<string, string>>): boolean | undefined;
  text?(text: string): void;
  close?(name: string): boolean | undefined;
}

const local = (name: string): string => name.slice(name.indexOf(":") + 1);

/** Reads until the end, or until an event says that it is enough. Rejects when it is no XML, or has a DTD. */
export async function readXml(pieces: AsyncIterable<string>, events: Events): Promise<void> {
  const parser = sax.parser(true, { position: false });
  let enough = false;
  let depth = 0;
  parser.onerror = (error) => {
    throw error;
  };
  parser.ondoctype = () => {
    throw new Error("it has a DTD, which no workbook needs");
  };
  parser.onopentag = ({ name, attributes }) => {
    depth += 1;
    if (depth > 200) throw new Error("its XML is nested more than 200 deep");
    if (!enough) enough = events.open?.(local(name), attributes as Record<string, string>) === true;
  };
  const text = (piece: string): void => {
    if (!enough) events.text?.(piece);
  };
  parser.ontext = text;
  parser.oncdata = text;
  parser.onclosetag = (name) => {
    depth -= 1;
    if (!enough) enough = events.close?.(local(name)) === true;
  };
  for await (const piece of pieces) {
    parser.write(piece);
    if (enough) return;
  }
  parser.close();
}
