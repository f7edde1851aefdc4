import type { Socket } from 'node:net'
import type { Place } from '../front/place.ts'

/** Places of connections that a worker has, and that are counted: by id. */
export class HeldPlaces {
  readonly #places = new Map<number, Place>()

  add(place: Place): void {
    this.#places.set(place.id, place)
  }

  /** The connection comes back. */
  goesBack(id: number | undefined, socket: Socket): void {
    this.#remove(id)?.take(socket)
  }

  ended(ids: readonly number[]): void {
    for (const id of ids) this.#remove(id)?.end()
  }

  /** The worker is gone, and all its connections with it. */
  close(): void {
    for (const place of this.#places.values()) place.end()
    this.#places.clear()
  }

  #remove(id: number | undefined): Place | undefined {
    const place = this.#places.get(id ?? 0)
    if (place) this.#places.delete(place.id)
    return place
  }
}
