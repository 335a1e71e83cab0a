package helper_test

import "github.com/rogpeppe/go-internal/testscript"

func startStick(ts *testscript.TestScript, _ bool, args []string) { ts.Fatalf("no emulator yet") }
func setFault(ts *testscript.TestScript, _ bool, args []string)   { ts.Fatalf("no emulator yet") }
