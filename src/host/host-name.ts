/**
 * The name in a Host field as names are compared: without the port, and without the dot that ends a complete name.
 *
 * @param host as it was sent, in lower case
 */
export function nameOfHost(host: string): string {
  return host.replace(/:[0-9]*$/, '').replace(/\.$/, '')
}
