import { conformance } from './conformance.ts'
import { CONTAINERS } from './containers.ts'

for (const container of CONTAINERS) conformance(container)
