/** Does not keep this process alive. */
export function afterMs<T>(ms: number, value?: T): Promise<T | undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(value), ms).unref()
  })
}
