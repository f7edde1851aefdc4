/** Who is told of processes of an app's entries, which are started again by themselves. */
export interface EntryWatch {
  /**
   * One ended that nobody had asked to, or did not come up again.
   *
   * @param how in words
   * @param isDown nothing of the app is left that could answer
   */
  ended(how: string, isDown: boolean): void
  /** One runs again. */
  up(): void
}

/** What a supervisor tells of its own. */
export interface ProcessWatch {
  ended(how: string): void
  up(): void
}
