// The log through @sigstore/verify: reads a case as JSON, exit 0 where checkpoint and inclusion hold, 1 where not.
"use strict";
const { createPublicKey } = require("node:crypto");
const { join } = require("node:path");
const { verifyTLogInclusion } = require(join(process.argv[2], "node_modules/@sigstore/verify/dist/tlog"));

const bytes = (text) => Buffer.from(text, "base64");
// RFC 8410: what stands before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo.
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

let text = "";
process.stdin.on("data", (part) => { text += part; }).on("end", () => {
  const given = JSON.parse(text);
  const [name, id, ...material] = given.vkey.split("+");
  const logID = Buffer.from(id, "hex");
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, bytes(material.join("+")).subarray(1)]), format: "der", type: "spki" });
  const entry = {
    logId: { keyId: logID },
    canonicalizedBody: bytes(given.entry),
    inclusionProof: {
      logIndex: String(given.index),
      hashes: given.proof.map(bytes),
      checkpoint: { envelope: bytes(given.checkpoint).toString("utf8") },
    },
  };
  try { verifyTLogInclusion(entry, [{ logID, publicKey, baseURL: `https://${name}`, validFor: {} }]); }
  catch (error) {
    if (error.name !== "VerificationError" && error.code !== "TLOG_INCLUSION_PROOF_ERROR") throw error;
    console.error(error.message);
    process.exit(1);
  }
});
