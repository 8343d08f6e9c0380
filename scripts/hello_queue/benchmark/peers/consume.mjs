// Processes COUNT messages by CONCURRENCY consumers of sqs-consumer: node consume.mjs URL. PRINT=1 shows each as JSON.
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const count = Number(process.env.COUNT);
const sqs = new SQSClient({});
const consumers = [];
let processed = 0;
for (let index = 0; index < Number(process.env.CONCURRENCY ?? 1); index++) {
  const consumer = Consumer.create({
    queueUrl: process.argv[2],
    sqs,
    batchSize: 10,
    messageAttributeNames: ["All"],
    handleMessageBatch: async (messages) => {
      if (process.env.PRINT) for (const message of messages) console.log(JSON.stringify(message));
      return messages;
    },
  });
  consumer.on("message_processed", () => {
    processed += 1;
    if (processed === count) for (const each of consumers) each.stop({ abort: true });
  });
  consumer.on("error", (error) => {
    if (processed < count) throw error;
  });
  consumers.push(consumer);
}
for (const consumer of consumers) consumer.start();
