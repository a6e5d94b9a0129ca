// The exchange as called from Node, with nothing but protos/, a certificate and two keys.
//
//   node client.mjs TARGET CREDENTIALS PROTOS BSN
//
// Blinds a BSN, registers a resident, brings a report, reads the plan, and is refused where it must be. Prints what it did
// and never the BSN. Ends with 0 when every answer is the one told here.
import { createHash, createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { blind, unblind } from "./voprf.mjs";

const TIMEOUT_MS = 20_000;
const TOKEN_S = 300;
const [target, folder, protos, bsn] = process.argv.slice(2);

// --- who calls ------------------------------------------------------------------------------------------------------

const file = (name) => readFileSync(join(folder, name));
const certificate = new X509Certificate(file("client.pem"));
const signingKey = createPrivateKey(file("signing.key"));
const { oin } = JSON.parse(file("organisation.json"));
const channel = grpc.credentials.createSsl(file("ca.pem"), file("client.key"), file("client.pem"));
const client = new grpc.Client(target, channel);
const person = { professional: "node-1", task: "college:WMO", role: "regisseur" };

// A JWT (EdDSA), of no use without the certificate it is bound to (RFC 8705 section 3.1).
function personToken() {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: oin,
    sub: person.professional,
    task: person.task,
    role: person.role,
    acr: "2fa",
    aud: "exchange.v1",
    iat: now,
    exp: now + TOKEN_S,
    cnf: { "x5t#S256": createHash("sha256").update(certificate.raw).digest("base64url") },
  };
  const signed = [{ alg: "EdDSA", typ: "JWT" }, claims].map((one) => Buffer.from(JSON.stringify(one)).toString("base64url")).join(".");
  return `${signed}.${sign(null, Buffer.from(signed), signingKey).toString("base64url")}`;
}

// --- calling --------------------------------------------------------------------------------------------------------

const names = readdirSync(join(protos, "exchange", "v1")).filter((one) => one.endsWith(".proto"));
const contract = protoLoader.loadSync(names.map((one) => `exchange/v1/${one}`), {
  includeDirs: [protos],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});

// Asks one rpc. A command is signed over the very bytes that are sent, and its receipt is looked at.
function ask(service, name, request) {
  const method = contract[`exchange.v1.${service}`][name];
  const raw = method.requestSerialize(request);
  const headers = new grpc.Metadata();
  headers.set("x-exchange-person", personToken());
  const own = signed(method.path, raw);
  const isCommand = method.responseType.type.field.some((one) => one.name === "receipt");
  if (isCommand) headers.set("x-exchange-signature", own.sig);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      (bytes) => bytes,
      method.responseDeserialize,
      raw,
      headers,
      { deadline: Date.now() + TIMEOUT_MS },
      (error, answer) => {
        if (error) return reject(error);
        if (isCommand) requireOwn(answer.receipt, own);
        return resolve(answer);
      },
    );
  });
}

function signed(path, raw) {
  const rq = createHash("sha256").update(`exchange.v1 request\n${path}\n${person.professional}\n`).update(raw).digest("hex");
  const statement = `exchange.v1 command\n${oin}\n${person.task}\n${rq}\n`;
  return { rq, sig: sign(null, Buffer.from(statement), signingKey).toString("base64"), a: oin, k: person.task };
}

function requireOwn(receipt, own) {
  const leaf = JSON.parse(receipt.leaf_entry);
  const found = Object.fromEntries(Object.keys(own).map((key) => [key, leaf[key]]));
  require(isDeepStrictEqual(found, own), "the receipt is not of the command that was signed here");
}

function require(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

// --- what it does ---------------------------------------------------------------------------------------------------

const why = {
  purpose: "PURPOSE_WMO_ONDERZOEK",
  legal_basis: "WMO-2.3.2",
  necessity: { text: "Nodig voor het onderzoek na een melding" },
};

async function pseudonymOf(number) {
  const state = blind(number);
  const answer = await ask("IdentityService", "EvaluateBlinded", {
    request_id: randomUUID(),
    claim: why,
    blinded_elements: [state.blinded],
    no_case_reason: "NO_CASE_REASON_NEW_REPORT",
  });
  // Pinned at the first use; better is a key that the operator gave on paper.
  const pin = join(folder, "..", "node-pin");
  if (existsSync(pin)) require(readFileSync(pin).equals(answer.public_key), "the exchange shows another key than was pinned");
  require(answer.second_public_key.length === 0, "a key that is split over two parties has two proofs: not in this example");
  const found = unblind(state, answer.evaluated_elements[0], answer.proof, answer.public_key, answer.generation);
  writeFileSync(pin, answer.public_key);
  return found;
}

async function story() {
  const resident = await pseudonymOf(bsn);
  require((await pseudonymOf(bsn)).equals(resident), "the same resident has another pseudonym at the second visit");
  console.log("1. A BSN was blinded here, twice, and became the same pseudonym; both proofs fit the pinned key.");

  const register = { request_id: randomUUID(), claim: why, resident, birth_date: "1980-02-29", capable: true };
  await ask("IdentityService", "RegisterResident", register);
  const report = {
    request_id: randomUUID(),
    claim: why,
    resident,
    life_domains: ["LIFE_DOMAIN_INSTRUMENTAL_ADL"],
    own_words: "Ik red het huishouden niet meer.",
    desk: "wijkteam",
  };
  const opened = await ask("CaseService", "ReceiveReport", report);
  console.log(`2. A report was signed and recorded as leaf ${opened.receipt.leaf_index}; the leaf carries our signature.`);

  const again = await ask("CaseService", "ReceiveReport", report);
  require(again.receipt.leaf_index === opened.receipt.leaf_index, "the same request id was recorded twice");
  console.log("3. The same request again had the same answer.");

  const read = await ask("PlanService", "GetPlan", {
    claim: why,
    plan_id: opened.plan_id,
    fields: ["reports.own_words", "version"],
  });
  require(read.plan.reports.some((one) => one.own_words === report.own_words), "the plan does not hold what was reported");
  console.log(`4. The plan is at version ${read.plan.version} and holds the resident's own words.`);

  const nobody = { claim: why, plan_id: "00000000-0000-4000-8000-000000000000", fields: ["goals.own_words"] };
  const refused = await ask("PlanService", "GetPlan", nobody).then(() => null, (error) => error);
  require(refused?.code === grpc.status.PERMISSION_DENIED, "a plan that is not there was not refused");
  console.log("5. A plan that does not exist was refused, as one of others would be.");
}

try {
  await story();
  console.log("all as told");
} catch (error) {
  // What the exchange says holds no personal data; what gRPC says around it is of no use here.
  console.error(error.details || error.message);
  process.exitCode = 1;
} finally {
  client.close();
}
