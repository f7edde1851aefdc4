/** What one process of an app, and one request to it, may cost. */
export interface ProcessLimits {
  /** Resident bytes of the process and its group. Without it: what the machine has. */
  readonly memory?: number
  /** ms until a request must have its answer. It wins over the `timeout` of `cgi` entries. Without it: as long as it takes. */
  readonly requestTime?: number
}
