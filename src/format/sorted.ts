/** How many numbers of an ascending list are at most `value`. */
export function countUpTo(ascending: readonly number[], value: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether a code point is in a set given by its boundaries, [first in, first out, first in, …], ascending. */
export function inSet(boundaries: readonly number[], point: number): boolean {
  return countUpTo(boundaries, point) % 2 === 1
}
