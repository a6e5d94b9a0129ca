// Turns a BSN into the organisation's own pseudonym: RFC 9497, mode VOPRF, ristretto255-SHA512, proof checked.
//
// The pseudonym is the unblinded group element, not the RFC's hashed output. What leaves is blinded: a uniform element
// that says nothing of the BSN. An answer is taken only with a proof that fits the key, which the caller pins.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { RistrettoPoint, ed25519, hashToRistretto255 } from "@noble/curves/ed25519";
import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve";
import { sha512 } from "@noble/hashes/sha512";

const SUITE = Buffer.concat([Buffer.from("OPRFV1-"), Buffer.from([1]), Buffer.from("-ristretto255-SHA512")]);
const ORDER = ed25519.CURVE.n;
const SCALAR_BYTES = 32;

export function blind(identifier) {
  const scalar = randomScalar();
  const hashed = hashToRistretto255(Buffer.from(identifier, "ascii"), { DST: tag("HashToGroup-") });
  return { scalar, blinded: Buffer.from(hashed.multiply(scalar).toRawBytes()) };
}

// Returns the pseudonym, 32 bytes; throws where the proof does not fit the public key.
export function unblind({ scalar, blinded }, evaluated, proof, publicKey, generation) {
  verify(publicKey, blinded, evaluated, proof);
  const element = Buffer.from(point(evaluated).multiply(inverse(scalar)).toRawBytes());
  // Which generation of the exchange's key, modulo 4, in two bits that every element leaves at zero.
  const mark = (generation - 1) % 4;
  element[0] |= mark & 1;
  element[31] |= (mark >> 1) << 7;
  return element;
}

// RFC 9497 section 2.2.2, for one pair.
function verify(publicKey, blinded, evaluated, proof) {
  if (proof.length !== 2 * SCALAR_BYTES) throw new Error("the proof has not 64 bytes");
  const [challenge, answer] = [proof.subarray(0, SCALAR_BYTES), proof.subarray(SCALAR_BYTES)].map(number);
  if (challenge >= ORDER || answer >= ORDER) throw new Error("the proof is not a pair of scalars");
  const seed = createHash("sha512").update(prefixed(publicKey)).update(prefixed(tag("Seed-"))).digest();
  const weight = hashToScalar(
    Buffer.concat([prefixed(seed), Buffer.from([0, 0]), prefixed(blinded), prefixed(evaluated), Buffer.from("Composite")]),
  );
  const key = point(publicKey);
  const left = times(point(blinded), weight);
  const right = times(point(evaluated), weight);
  const commitments = [
    times(RistrettoPoint.BASE, answer).add(times(key, challenge)),
    times(left, answer).add(times(right, challenge)),
  ];
  const parts = [publicKey, ...[left, right, ...commitments].map((one) => Buffer.from(one.toRawBytes()))];
  const expected = hashToScalar(Buffer.concat([...parts.map(prefixed), Buffer.from("Challenge")]));
  if (!timingSafeEqual(bytes(expected), bytes(challenge))) throw new Error("the proof does not fit the public key");
}

function point(encoded) {
  const found = RistrettoPoint.fromHex(encoded);
  if (found.equals(RistrettoPoint.ZERO)) throw new Error("the neutral element is no answer");
  return found;
}

function times(element, scalar) {
  return scalar === 0n ? RistrettoPoint.ZERO : element.multiply(scalar);
}

function hashToScalar(message) {
  return number(expand_message_xmd(message, tag("HashToScalar-"), 64, sha512)) % ORDER;
}

function randomScalar() {
  for (;;) {
    const found = number(randomBytes(64)) % ORDER;
    if (found !== 0n) return found;
  }
}

function inverse(scalar) {
  // Fermat: the order is prime.
  let [result, base, exponent] = [1n, scalar, ORDER - 2n];
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % ORDER;
    base = (base * base) % ORDER;
  }
  return result;
}

const tag = (name) => Buffer.concat([Buffer.from(name), SUITE]);
const prefixed = (part) => Buffer.concat([Buffer.from([part.length >> 8, part.length & 255]), part]);
const number = (little) => BigInt("0x" + Buffer.from(little).reverse().toString("hex"));
const bytes = (scalar) => Buffer.from(scalar.toString(16).padStart(64, "0"), "hex").reverse();
