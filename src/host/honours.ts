/** Keys of the manifest that the host sees to for every app (deployments/run-commands.ts), wherever its code is loaded. */
export const HOST_HONOURS: readonly string[] = ['lifecycle.migrate', 'processes']
