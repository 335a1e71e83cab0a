package znp

// What the tests look at from outside the package.
var (
	Mask          = mask
	MidFramePause = midFramePause
)
