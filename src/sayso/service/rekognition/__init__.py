"""Amazon Rekognition's face API over the core: AWS JSON 1.1, signed by Signature Version 4."""
