/** Bytes that are no HTTP/1.1 message by RFC 9112, or more of one than is taken. The text is for the log. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
  /** True where the bytes may be well-formed, but a limit is passed. */
  readonly exceedsLimit: boolean;

  constructor(message: string, exceedsLimit = false) {
    super(message);
    this.exceedsLimit = exceedsLimit;
  }
}
