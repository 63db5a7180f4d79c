"""Patients: what was done in a trial, read from tables such as a data manager or a spreadsheet writes."""
