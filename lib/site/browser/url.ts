/** In place of node:url. */
export const fileURLToPath = (url: string | URL): string => decodeURIComponent(new URL(url).pathname);
