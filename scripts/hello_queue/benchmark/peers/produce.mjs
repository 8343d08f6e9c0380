// Sends by sqs-producer: node produce.mjs URL, with the messages as JSON in MESSAGES, COUNT of them, CONCURRENCY at once.
import { SQSClient } from "@aws-sdk/client-sqs";
import { Producer } from "sqs-producer";

const messages = JSON.parse(process.env.MESSAGES);
const count = Number(process.env.COUNT ?? messages.length);
const producer = Producer.create({ queueUrl: process.argv[2], sqs: new SQSClient({}) });
for (const message of messages) {
  for (const attribute of Object.values(message.messageAttributes ?? {})) {
    if (attribute.BinaryValue) attribute.BinaryValue = Buffer.from(attribute.BinaryValue, "base64");
  }
}
let left = count / messages.length;
async function lane() {
  while (left-- > 0) await producer.send(messages);
}
await Promise.all(Array.from({ length: Number(process.env.CONCURRENCY ?? 1) }, lane));
