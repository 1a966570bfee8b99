'use strict';

// A double of Ghost's S3Storage with the parts that S3Content uses.
exports.default = class S3Storage {
  constructor(options) {
    this.bucket = options.bucket;
    this.prefix = options.staticFileURLPrefix;
    this.client = options.client;
  }

  buildKey(path) {
    return this.prefix + '/' + path;
  }
};
