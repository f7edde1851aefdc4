interface Seat<T> {
  readonly member: T
  at: number
}

/**
 * What is there now, where that changes all the time. A `Set` would keep it longer: the tables that it has grown out of
 * hold what was in them, and one another, until V8 searches all memory for garbage. With a connection for each request
 * that were most of them.
 */
export class Members<T> {
  readonly #seats: Seat<T>[] = []

  get size(): number {
    return this.#seats.length
  }

  /** As they are now, in no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#seats.map(({ member }) => member).values()
  }

  /** @returns takes it out. Idempotent */
  add(member: T): () => void {
    const seats = this.#seats
    const seat = { member, at: seats.length }
    seats.push(seat)
    return () => {
      if (seats[seat.at] !== seat) return
      const last = seats.pop() as Seat<T>
      if (last === seat) return
      seats[seat.at] = last
      last.at = seat.at
    }
  }
}
