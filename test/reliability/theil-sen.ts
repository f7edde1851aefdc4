/**
 * The slope of a line through points: the median of the slopes of all pairs (Theil and Sen). A leak adds something each
 * time, and so shows in most pairs. What least squares take for one, a step in the middle or a single reading that is high
 * because something was under way, shows in few.
 */
export function theilSen(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).map((other) => (other[1] - y) / (other[0] - x)))
  slopes.sort((a, b) => a - b)
  const middle = slopes.length >> 1
  const [high = Number.NaN, low = high] = [slopes[middle], slopes[middle - 1]]
  return slopes.length % 2 === 0 ? (low + high) / 2 : high
}
