export function ClientDeliveries({ client }: { readonly client: string }) {
  return <p>{client}</p>;
}
