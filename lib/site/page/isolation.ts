/**
 * Several threads, whatever the host: a service worker (isolation_worker.js) adds the headers that browsers
 * want for that. It reaches a page from the second load on, so a first visit loads the page twice, before
 * anything has run.
 */

/** In session storage: a browser that stays as it is, is not asked again and again. */
const TRIED = "cleanup-lens isolation";

/** The worker's file in the site's top folder. */
export const SCRIPT = "isolation.js";

/** Until it is in charge, or not: a private window, for one, takes none. */
function activated(worker: ServiceWorker): Promise<boolean> {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === "activated") resolve(true);
      else if (worker.state === "redundant") resolve(false);
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

/** Resolves to true when the page is about to be loaded again: nothing should be started then. */
export async function isolate(): Promise<boolean> {
  if (self.crossOriginIsolated) return false;
  try {
    if (sessionStorage.getItem(TRIED)) return false;
    const { installing, waiting, active } = await navigator.serviceWorker.register(SCRIPT);
    sessionStorage.setItem(TRIED, "yes");
    const worker = installing ?? waiting ?? active;
    if (!worker || !(await activated(worker))) return false;
    location.reload();
    return true;
  } catch {
    return false; // one thread will do
  }
}
