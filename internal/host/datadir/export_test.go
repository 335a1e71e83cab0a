package datadir

// ErrNoExchange makes a Fault stand for a file system without RENAME_EXCHANGE.
var ErrNoExchange = errNoExchange

// OpExchange is the operation it is returned for.
const OpExchange = opExchange
