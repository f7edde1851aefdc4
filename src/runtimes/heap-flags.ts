import { mebibytes } from '../format/bytes.ts'
import type { ProcessLimits } from './process-limits.ts'

/**
 * What tells Node of its limit, so that it collects in time; by itself it goes by the memory of the machine. The heap may
 * be as large as the limit: the process, which is more than its heap, is above it earlier, and so replaced, where with a
 * smaller heap it would end with "heap out of memory".
 */
export function heapFlags({ memory }: ProcessLimits): string[] {
  return memory === undefined ? [] : [`--max-old-space-size=${Math.max(1, mebibytes(memory))}`]
}
