/** The public face of the codec: `fcgi/protocol`. It knows the wire, and no socket. See docs/protocol.md. */
export * from './constants.ts';
export { decodeLength, decodePairs, encodePairs, PairReader, PairsCollector, packPairs } from './pairs.ts';
export { type RecordHandler, RecordParser } from './parser.ts';
export {
  type BeginRequest,
  type DecodedRecord,
  decodeBeginRequest,
  decodeEndRequest,
  decodeRecord,
  decodeUnknownType,
  type EndRequest,
  encodeAbortRequest,
  encodeBeginRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeGetValuesResult,
  encodeRecord,
  encodeStream,
  encodeUnknownType,
  writeEndRequest,
  writeHeader,
} from './records.ts';
