/**
 * What four units in the last place of a stream of length 1 are of a writer, as a ratio to its length. Next
 * to nothing for a head that writes; layer 0's heads of the embedded model are 0.00001 to 0.0003 long.
 *
 * @param square ‖w‖² of what the writer writes
 */
export const rounding = (square: number): number => 2 ** -21 / Math.sqrt(square);
