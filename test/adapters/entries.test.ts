import { conformance } from './conformance.ts'
import { CONTAINERS } from './containers.ts'

// What lies between a container and its app is the same behind every one: one with sockets, and one without, will do.
for (const container of CONTAINERS.filter(({ name }) => name === 'node:http' || name === 'fetch')) {
  conformance(container, 'fetch')
  conformance(container, 'server')
}
