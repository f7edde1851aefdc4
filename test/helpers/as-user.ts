/** An account that owns nothing. */
const NOBODY = 65534

/**
 * Runs `work` as a user that permissions hold for: they do not for root. What it needs must be that user's
 * (`chown(file, plainUser(), …)`).
 */
export async function asPlainUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid!() !== 0) return work()
  process.seteuid!(NOBODY)
  try {
    return await work()
  } finally {
    process.seteuid!(0)
  }
}

export function plainUser(): number {
  return process.geteuid!() === 0 ? NOBODY : process.geteuid!()
}
