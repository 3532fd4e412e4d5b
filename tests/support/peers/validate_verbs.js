// Reads a JSON list of jambonz answers on stdin; prints a JSON list: what its validator says of each, "" for valid.
const {validate} = require('@jambonz/verb-specifications');

const silent = {info() {}, error() {}, debug() {}};

function judge(answer) {
  try {
    validate(silent, answer);
    return '';
  } catch (error) {
    return error.message;
  }
}

const told = JSON.parse(require('fs').readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(told.map(judge)));
