export function ClientOverview({ client }: { readonly client: string }) {
  return <p>{client}</p>;
}
