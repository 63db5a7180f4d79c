"""Decision methods that can stand where a count table could: interval designs, isotonic choice, CRM, BLRM."""
