/** Where the admin API is published, on internal listeners and on the control socket. */
export const ADMIN_PATH = '/admin/v1';

/** What keys and audit records call it. No API of a file may have this name. */
export const ADMIN_API = 'sallyport-admin';

/** The environment of its keys: no key for other APIs opens it, whatever its scopes are called there. */
export const ADMIN_ENVIRONMENT = 'admin';
