/** Names of what the admin listener has in the state folder of its host; the command line looks for them there. */
export const ADMIN_SOCKET = 'admin.sock'
export const ADMIN_TOKEN = 'admin.token'
