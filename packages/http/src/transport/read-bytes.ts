/** The most of one read: a body of 64 KiB with its head fits. */
export const READ_BYTES = 131_072;
