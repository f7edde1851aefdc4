/** What a program or script has said is no answer, and nothing behind it can be trusted to be one; the message says why. */
export class BadAnswer extends Error {}
