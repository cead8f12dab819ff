export function ClientFiles({ client }: { readonly client: string }) {
  return <p>{client}</p>;
}
