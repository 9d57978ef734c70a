/** A few pieces of work at the same time. */

/**
 * Does `work` with every item, `count` of them at a time, begun in their order. After a failure nothing new
 * begins; what runs is waited for.
 * @throws what failed first
 */
export async function atOnce<T>(
  items: readonly T[],
  count: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values(), failures: unknown[] = [];
  const worker = async () => {
    for (const item of waiting) {
      await work(item).catch((error) => failures.push(error));
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  if (failures.length > 0) throw failures[0];
}
