// Package znp speaks TI's Monitor and Test protocol to one Z-Stack stick over any
// io.ReadWriteCloser.
//
// What follows from the protocol:
//
//   - An answer (SRSP) carries no sequence number, only subsystem and command, so one
//     request is outstanding at a time; callers queue. The single known exception: a
//     read of item 0x0024 by OSAL_NV_READ_EXT is answered as OSAL_NV_READ, so ReadOSAL
//     uses OSAL_NV_READ.
//   - A request that got no answer in time may still be answered later, and that answer
//     would look like the answer to the next request of the same command, be it for
//     another item. After a time-out the client therefore pings first and discards
//     whatever arrives before the ping's answer.
//   - A time-out proves nothing: the stick may have acted or not.
//   - Indications (AREQ) come at any time, also between a request and its answer. They
//     reach every Waiter that wants them in the order they came.
//
// Nothing here moves DTR or RTS, and nothing here puts the radio on air.
//
// Source: TI "Z-Stack Monitor and Test API" (SWRA198), and the firmware's mt_sys.c
// where the two disagree.
package znp
