// What an application of the AWS SDK for JavaScript does; prints what it was told as JSON.
import { readFileSync } from "node:fs";
import {
  CreateCollectionCommand,
  DeleteCollectionCommand,
  IndexFacesCommand,
  ListFacesCommand,
  RekognitionClient,
  ResourceAlreadyExistsException,
  SearchFacesByImageCommand,
  StartStreamProcessorCommand,
} from "@aws-sdk/client-rekognition";

const [endpoint, accessKeyId, secretAccessKey, enrolled, probe] = process.argv.slice(2);
const client = new RekognitionClient({
  endpoint,
  region: "ap-southeast-2",
  credentials: { accessKeyId, secretAccessKey },
  maxAttempts: 1,
});
const CollectionId = "javascript";
const picture = (path) => ({ Bytes: readFileSync(path) });
const told = {};

told.created = (await client.send(new CreateCollectionCommand({ CollectionId }))).StatusCode;
try {
  await client.send(new CreateCollectionCommand({ CollectionId }));
} catch (error) {
  told.again = error instanceof ResourceAlreadyExistsException ? error.name : String(error);
}
try {
  await client.send(new StartStreamProcessorCommand({ Name: "gate" }));
} catch (error) {
  told.stream = [error.name, error.message];
}
const indexed = await client.send(
  new IndexFacesCommand({ CollectionId, Image: picture(enrolled), ExternalImageId: "somebody" }),
);
told.indexed = indexed.FaceRecords.map((record) => record.Face.ExternalImageId);
const found = await client.send(
  new SearchFacesByImageCommand({ CollectionId, Image: picture(probe) }),
);
told.found = found.FaceMatches.map((match) => match.Face.ExternalImageId);
told.listed = (await client.send(new ListFacesCommand({ CollectionId }))).Faces.length;
told.deleted = (await client.send(new DeleteCollectionCommand({ CollectionId }))).StatusCode;
console.log(JSON.stringify(told));
