/** What can become of a question to the Hub. */

/**
 * The Hub could not be reached at all: no connection, no such host, no answer in time, or an answer that is
 * not the Hub's.
 */
export class HubUnreachable extends Error {}

/** The Hub answered, but not with what was asked for. */
export class HubRefusal extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}
