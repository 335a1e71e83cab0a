// Package znpsim emulates TI Z-Stack 3.30 coordinator sticks (CC2652P), the radio
// medium between them, and devices that have joined. A stick is never more forgiving
// than the real one: it answers the MT commands with the real statuses, keeps its
// items across resets, forgets its RAM, and stays on air when its host goes away.
//
//	medium := znpsim.NewMedium(znpsim.MediumOptions{})
//	stick := znpsim.NewDongle(znpsim.DongleOptions{Name: "attic", Medium: medium, Image: znpsim.FormedImage(id)})
//	lamp := medium.AddDevice(znpsim.DeviceSpec{Name: "lamp", Kind: znpsim.Lamp, Network: id})
//	go stick.ServePTY(ctx, "attic.tty")
//
// Time comes from package time, so that all of it runs inside testing/synctest. One
// lock guards a medium with everything on it; nothing that waits happens under it.
//
// What is not modelled: routing (every device hears every coordinator of its channel),
// collisions, link keys (their counters move at boot, as on the stick, but no frame is
// checked against them), NVINTF systems other than ZSTACK, flash wear.
//
// Sources: TI "Z-Stack Monitor and Test API" (SWRA198) and the behaviour of the
// SimpleLink SDK's mt_sys.c, osal_nv.c, zd_app.c and zd_sec_mgr.c.
package znpsim
